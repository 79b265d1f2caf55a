// RUN: canonicalise
// f32 to bf16 and back rounds; bf16 to f32 and back does not.
// CHECK: %[[A:.*]] = nn.convert %x {element_type = bf16}
// CHECK-NEXT: %[[B:.*]] = nn.convert %[[A]] {element_type = f32}
// CHECK-NEXT: func.return %[[B]], %y
func.func @main(%x: tensor<4xf32>, %y: tensor<4xbf16>) -> (tensor<4xf32>, tensor<4xbf16>) {
  %a = nn.convert %x {element_type = bf16} : (tensor<4xf32>) -> tensor<4xbf16>
  %b = nn.convert %a {element_type = f32} : (tensor<4xbf16>) -> tensor<4xf32>
  %c = nn.convert %y {element_type = f32} : (tensor<4xbf16>) -> tensor<4xf32>
  %d = nn.convert %c {element_type = bf16} : (tensor<4xf32>) -> tensor<4xbf16>
  func.return %b, %d : tensor<4xf32>, tensor<4xbf16>
}
