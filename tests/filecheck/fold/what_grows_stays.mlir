// RUN: fold{limit=64}
// 100 elements from 20 are kept as an op, 64 from 16 become a constant.
// CHECK: nn.add %{{.*}}, %{{.*}} : tensor<10x10xf32>
// CHECK: nn.constant {resource = {{.*}}, shape = [8, 8], element_type = f32}
func.func @main() -> (tensor<10x10xf32>, tensor<8x8xf32>) {
  %a = nn.constant {value = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]> : tensor<10xf32>} : tensor<10xf32>
  %r = nn.broadcast_in_dim %a {dims = [0], shape = [10, 10]} : (tensor<10xf32>) -> tensor<10x10xf32>
  %c = nn.broadcast_in_dim %a {dims = [1], shape = [10, 10]} : (tensor<10xf32>) -> tensor<10x10xf32>
  %s = nn.add %r, %c : tensor<10x10xf32>
  %b = nn.constant {value = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>} : tensor<8xf32>
  %p = nn.broadcast_in_dim %b {dims = [0], shape = [8, 8]} : (tensor<8xf32>) -> tensor<8x8xf32>
  %q = nn.broadcast_in_dim %b {dims = [1], shape = [8, 8]} : (tensor<8xf32>) -> tensor<8x8xf32>
  %t = nn.add %p, %q : tensor<8x8xf32>
  func.return %s, %t : tensor<10x10xf32>, tensor<8x8xf32>
}
