module @jit__lambda attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4x8xf32>, %arg1: tensor<3xi32>) -> (tensor<4x8xbf16> {jax.result_info = "result[0]"}, tensor<4x8xf16> {jax.result_info = "result[1]"}, tensor<4x8xi32> {jax.result_info = "result[2]"}, tensor<3xf32> {jax.result_info = "result[3]"}, tensor<3xi1> {jax.result_info = "result[4]"}, tensor<3xi8> {jax.result_info = "result[5]"}, tensor<4x8xi32> {jax.result_info = "result[6]"}, tensor<4x8xf32> {jax.result_info = "result[7]"}, tensor<4x8xf32> {jax.result_info = "result[8]"}) {
    %0 = stablehlo.convert %arg0 : (tensor<4x8xf32>) -> tensor<4x8xbf16>
    %1 = stablehlo.convert %arg0 : (tensor<4x8xf32>) -> tensor<4x8xf16>
    %cst = stablehlo.constant dense<9.000000e+00> : tensor<f32>
    %2 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %3 = stablehlo.multiply %arg0, %2 : tensor<4x8xf32>
    %4 = stablehlo.convert %3 : (tensor<4x8xf32>) -> tensor<4x8xi32>
    %5 = stablehlo.convert %arg1 : (tensor<3xi32>) -> tensor<3xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %6 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<3xi32>
    %7 = stablehlo.compare NE, %arg1, %6, SIGNED : (tensor<3xi32>, tensor<3xi32>) -> tensor<3xi1>
    %8 = stablehlo.convert %7 : tensor<3xi1>
    %c_0 = stablehlo.constant dense<60> : tensor<i32>
    %9 = stablehlo.broadcast_in_dim %c_0, dims = [] : (tensor<i32>) -> tensor<3xi32>
    %10 = stablehlo.multiply %arg1, %9 : tensor<3xi32>
    %11 = stablehlo.convert %10 : (tensor<3xi32>) -> tensor<3xi8>
    %12 = stablehlo.bitcast_convert %arg0 : (tensor<4x8xf32>) -> tensor<4x8xi32>
    %13 = stablehlo.reduce_precision %arg0, format = e8m7 : tensor<4x8xf32>
    %14 = stablehlo.optimization_barrier %arg0 : tensor<4x8xf32>
    %cst_1 = stablehlo.constant dense<1.000000e+00> : tensor<f32>
    %15 = stablehlo.broadcast_in_dim %cst_1, dims = [] : (tensor<f32>) -> tensor<4x8xf32>
    %16 = stablehlo.add %14, %15 : tensor<4x8xf32>
    return %0, %1, %4, %5, %8, %11, %12, %13, %16 : tensor<4x8xbf16>, tensor<4x8xf16>, tensor<4x8xi32>, tensor<3xf32>, tensor<3xi1>, tensor<3xi8>, tensor<4x8xi32>, tensor<4x8xf32>, tensor<4x8xf32>
  }
}
